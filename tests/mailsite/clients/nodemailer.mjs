// Three messages through nodemailer; prints the replies as JSON.
import { readFileSync } from "node:fs";
import nodemailer from "nodemailer";

const [port, ca, secure, method] = process.argv.slice(2);
const transport = nodemailer.createTransport({
  host: "localhost",
  port: Number(port),
  secure: secure === "yes",
  requireTLS: secure !== "yes",
  pool: true,
  maxConnections: 1,
  tls: { ca: readFileSync(ca) },
  auth: { user: "alice@example.org", pass: "secret" },
  authMethod: method,
});
const from = "Alice <alice@example.org>";
const said = [];
await transport.verify();
said.push(await transport.sendMail({ from, to: "bob@example.org", subject: "Grüße", text: ".\n..\nAñb\n.", html: "<p>ä" }));
said.push(
  await transport.sendMail({
    envelope: { from: "alice@example.org", to: ["bob@example.org", "nobody@example.org"], size: 300_000 },
    raw: "From: alice@example.org\r\nSubject: raw\r\n\r\n" + ("x".repeat(70) + "\r\n").repeat(4000),
    dsn: { return: "headers", notify: "failure", recipient: "alice@example.org", id: "1" },
  }),
);
const refused = await transport
  .sendMail({ from: "mallory@example.org", to: "bob@example.org", text: "x" })
  .catch((error) => error.responseCode);
transport.close();
console.log(JSON.stringify({ said: said.map(({ accepted, rejected }) => ({ accepted, rejected })), refused }));
