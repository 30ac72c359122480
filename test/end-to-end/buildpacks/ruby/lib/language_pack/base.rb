class LanguagePack::Base
  VENDOR_URL = ENV["BUILDPACK_VENDOR_URL"] || "https://heroku-buildpack-ruby.s3.us-east-1.amazonaws.com"
end
