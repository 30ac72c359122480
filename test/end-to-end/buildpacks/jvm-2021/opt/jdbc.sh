# See https://devcenter.heroku.com/articles/connecting-to-relational-databases-on-heroku-with-java
[ -z "$DATABASE_URL" ] || export JDBC_DATABASE_URL="jdbc:$DATABASE_URL"
