module LanguagePack::Helpers::Nodebin
  NODE_URL = "https://heroku-nodebin.s3.us-east-1.amazonaws.com/node/release/linux-x64/node-v22.11.0-linux-x64.tar.gz"
end
