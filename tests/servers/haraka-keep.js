// A plugin for Haraka that takes every message and notes its Message-ID.
const fs = require("fs");
const OK = 906;

exports.register = function () {
  this.register_hook("rcpt", "take");
  this.register_hook("queue", "keep");
};

exports.take = (next) => next(OK);

exports.keep = (next, connection) => {
  const id = connection.transaction.header.get("Message-ID").trim();
  fs.appendFileSync(process.env.KEPT, `Message-ID: ${id}\n`);
  next(OK);
};
