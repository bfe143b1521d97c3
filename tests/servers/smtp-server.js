// nodemailer's server: takes every message and notes its Message-ID.
const fs = require("fs");
const { SMTPServer } = require("smtp-server");

new SMTPServer({
  authOptional: true,
  disabledCommands: ["STARTTLS"],
  onData(stream, _session, done) {
    let message = "";
    stream.on("data", (chunk) => (message += chunk));
    stream.on("end", () => {
      fs.appendFileSync(process.env.KEPT, message.match(/^Message-ID: .*$/im)[0] + "\n");
      done(null, "kept");
    });
  },
}).listen(Number(process.env.PORT), "127.0.0.1");
