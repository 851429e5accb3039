// A site on Express with express-session, of one file. For tests only.
//
// The environment: PORT, and LARDER_SEEN, which names a file in which each request's Cookie field and target is a line.
const express = require("express"), session = require("express-session"), fs = require("fs");
const app = express();
app.use((request, _, next) => {
  fs.appendFileSync(process.env.LARDER_SEEN, `${request.headers.cookie || "-"} ${request.originalUrl}\n`);
  next();
});
app.use(session({secret: "of tests only", resave: false, saveUninitialized: false}));
app.get("/login", (request, response) => {
  request.session.user = request.query.user;
  response.type("text").send(`welcome ${request.query.user}`);
});
app.get("/logout", (request, response) => request.session.destroy(() => response.clearCookie("connect.sid").send("bye")));
app.get("*", (request, response) => response.type("text").send(`${request.path} ${request.session.user || "nobody"}`));
app.listen(Number(process.env.PORT), "127.0.0.1");
