// A person's session with imapflow, as an application would hold it; prints what it saw as JSON.
import { ImapFlow } from "imapflow";

const [port, ca, compression] = process.argv.slice(2);
const { readFileSync } = await import("node:fs");
const client = new ImapFlow({
  host: "localhost",
  port: Number(port),
  secure: true,
  tls: { ca: readFileSync(ca) },
  auth: { user: "bob", pass: "other" },
  disableCompression: compression !== "yes",
  qresync: true,
  logger: false,
});
const seen = { flags: [] };
await client.connect();
seen.enabled = [...client.enabled];
seen.folders = (await client.list({ statusQuery: { messages: true, unseen: true } })).map((each) => [
  each.path,
  each.specialUse ?? "",
  each.status?.messages,
]);
seen.status = await client.status("INBOX", { messages: true, unseen: true, uidNext: true, highestModseq: true });
const lock = await client.getMailboxLock("INBOX");
const asked = { uid: true, envelope: true, bodyStructure: true, flags: true, size: true, threadId: true, internalDate: true };
const first = await client.fetchOne("1", { ...asked, source: true, headers: ["subject"], bodyParts: ["1"] });
seen.subject = first.envelope.subject;
seen.from = first.envelope.from[0].address;
seen.type = first.bodyStructure.type;
seen.source = first.source.toString();
seen.part = first.bodyParts.get("1").toString();
seen.headers = first.headers.toString();
const { content } = await client.download("1", "1", { uid: true });
let downloaded = "";
for await (const piece of content) downloaded += piece;
seen.downloaded = downloaded;

client.on("flags", (change) => seen.flags.push([...change.flags]));
await client.messageFlagsAdd("1", ["\\Seen", "$Work"]);
seen.found = await client.search({ keyword: "$Work", subject: "harvest" }, { uid: true });
seen.appended = await client.append("Drafts", "Subject: grün\r\n\r\n" + "x".repeat(100_000), ["\\Draft"], new Date(0));
await client.mailboxCreate("Année/été");
seen.copied = [...(await client.messageCopy("1", "Année/été")).uidMap];
await client.mailboxRename("Année/été", "Année/hiver & neige");

// Another message comes while it idles: a delivery waits for this line.
const arrived = new Promise((resolve) => client.once("exists", (news) => resolve([news.prevCount, news.count])));
const idle = client.idle();
console.log("idling");
seen.exists = await arrived;
seen.moved = [...(await client.messageMove("1", "Archive", { uid: true })).uidMap];
seen.left = [];
for await (const message of client.fetch("1:*", { uid: true, flags: true, modseq: true })) seen.left.push(message.uid);
await client.messageDelete("1:*");
lock.release();
await idle.catch(() => {});
seen.empty = (await client.status("INBOX", { messages: true })).messages;
await client.mailboxDelete("Année/hiver & neige");
seen.names = (await client.list()).map((each) => each.path);
seen.quota = await client.getQuota("INBOX");
await client.logout();
seen.squeezes = client.capabilities.has("COMPRESS=DEFLATE");
console.log(JSON.stringify(seen, (_name, value) => (typeof value === "bigint" ? Number(value) : value)));
