"""Inputs to begin with, and words of each language; all of our own making."""

from __future__ import annotations

SMTP_SEEDS = (
    b"EHLO client.example\r\nMAIL FROM:<a@x.example> SIZE=100 BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<b@y.example> "
    b"NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b@y.example\r\nDATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n",
    b"EHLO [IPv6:::1]\r\nAUTH PLAIN AGFsaWNlAG9r\r\nMAIL FROM:<> RET=HDRS ENVID=x+41 REQUIRETLS\r\nRCPT TO:<b@y>\r\n"
    b"BDAT 5\r\nx: y\nBDAT 4 LAST\r\n\r\nhiRSET\r\nNOOP x\r\nVRFY b\r\nHELP\r\n",
    b'HELO x\r\nMAIL FROM:<"a b"@x.example>\r\nRCPT TO:<Postmaster>\r\nDATA\r\nx\ny\r\n.\r\nSTARTTLS\r\n',
    b"EHLO x\r\nAUTH LOGIN\r\nbW9yZQ==\r\nbW9yZQ==\r\n*\r\nAUTH SCRAM-SHA-256 =\r\nb2s=\r\n",
    "EHLO münchen.example\r\nMAIL FROM:<ä@münchen.example> SMTPUTF8\r\nRCPT TO:<@r.example:b@y.example>\r\n".encode(),
    b"DATA\r\nBDAT 10\r\n1234567890BDAT 99999999999 LAST\r\nEHLO x\r\nBDAT 0 LAST\r\nGET / HTTP/1.1\r\n",
)
SMTP_WORDS = (
    b"EHLO x\r\n", b"MAIL FROM:<a@x>\r\n", b"RCPT TO:<b@y>\r\n", b"DATA\r\n", b"\r\n.\r\n", b"BDAT 3 LAST\r\nabc",
    b"RSET\r\n", b"AUTH PLAIN ", b"SIZE=", b"BODY=BINARYMIME", b"\r", b"\n", b"\r\n..\r\n", b"\r\n.\n", b"@", b"<>",
    b"ORCPT=utf-8;", b"\\x{20}", b"HOLDFOR=", b"xn--", b"[127.0.0.1]", b"AUTH=<>",
)  # fmt: skip
IMAP_SEEDS = (
    b'a1 LOGIN {3+}\r\nbob "se\\"cret"\r\na2 SELECT INBOX (QRESYNC (1 2 1:9,12 (1,5 2,7)))\r\na3 NOOP\r\n'
    b"a4 ENABLE QRESYNC UTF8=ACCEPT\r\na5 CAPABILITY\r\n",
    b'b1 FETCH 1:*,2 (FLAGS BODY.PEEK[HEADER.FIELDS (To "From")]<0.9> BINARY.SIZE[1.2] PREVIEW (LAZY)) (CHANGEDSINCE '
    b'9 VANISHED)\r\nb2 UID STORE 1:4 (UNCHANGEDSINCE 3) +FLAGS.SILENT (\\Seen $Work)\r\nb3 UID MOVE $ "A b"\r\n',
    b"c1 UID SEARCH RETURN (MIN MAX ALL SAVE PARTIAL -1:-9) CHARSET UTF-8 OR (NOT SEEN TEXT {2}\r\nab SENTSINCE "
    b'1-Jan-2026) HEADER X-A "" KEYWORD k YOUNGER 9 MODSEQ "/flags/\\\\seen" all 5 UID 1:*\r\n',
    b'd1 APPEND New (\\Seen) "24-Nov-2026 08:00:00 +0000" {8+}\r\nx: y\r\n\r\n {9+}\r\nto: a@b\r\n\r\nd2 APPEND x '
    b"UTF8 (~{8+}\r\nx: y\r\n\r\n)\r\nd3 REPLACE 4 INBOX {7+}\r\nrefused\r\nd4 NOOP\r\n",
    b'd5 APPEND x CATENATE (URL "/INBOX;UIDVALIDITY=9/;UID=1/;SECTION=1.2/;PARTIAL=0.9" TEXT {3+}\r\nabc URL {2+}\r\n/x) '
    b"(\\Seen) {1+}\r\ny CATENATE (UTF8 (~{1+}\r\nz))\r\nd6 UID REPLACE 4 x CATENATE (URL a)\r\nd7 UIDBATCHES 500 1:2\r\n",
    b'e1 LIST (SUBSCRIBED RECURSIVEMATCH) "" (INBOX "A/%" *) RETURN (CHILDREN STATUS (MESSAGES SIZE))\r\n'
    b'e2 LSUB "" *\r\ne3 SORT (REVERSE SIZE DISPLAYFROM) UTF-8 1:9\r\ne4 THREAD REFERENCES US-ASCII ALL\r\n',
    b'f1 IDLE\r\nDONE\r\nf2 AUTHENTICATE PLAIN\r\nAGIAYg==\r\nf3 AUTHENTICATE PLAIN AGIAYg==\r\nx\r\nf4 ID ("a" NIL)\r\n'
    b'f5 STATUS &AOQ- (UNSEEN)\r\nf6 CREATE x (USE (\\Sent))\r\nf7 SETQUOTA "" (STORAGE 9)\r\nf8 LOGOUT\r\n',
)
IMAP_WORDS = (
    b"a1 FETCH ", b"BODY[", b"]<0.5>", b"{5}\r\n", b"{5+}\r\n", b"~{3}\r\n", b"(", b")", b"NIL", b"\r\n", b"1:*", b"$",
    b"a APPEND x {4+}\r\nab\r\n", b"UID ", b"RETURN (", b"NOT ", b"OR ", b"HEADER ", b"1.1.1.1", b"\\", b"{99999999}\r\n",
    b"{0+}\r\n", b"UTF8 (", b"CHARSET KOI8-R ", b"QRESYNC", b"\n", b"\r", b"DONE\r\n", b"&-", b"%", b"REPLACE 1 ",
    b"CATENATE (", b"URL ", b"TEXT {3+}\r\nabc ", b"/x/;UID=1", b"/;SECTION=", b"URL {7+}\r\n",
)  # fmt: skip
SASL_SEEDS = (
    b"PLAIN\n\0alice\0secret", b"PLAIN\nalice\0alice\0wrong", b"LOGIN\nalice\nsecret", b"LOGIN\n\xff\nx", b"CRAM-MD5\nx",
    b"SCRAM-SHA-256\nn,,n=alice,r=rOprNGfwEbeRWgbNEkqO\nc=biws,r=rOprNGfwEbeRWgbNEkqO" + b"n" * 24 + b",p=AAAA",
    b"SCRAM-SHA-256\ny,a=alice,n=a=2Cb=3D,r=x,ext=1\nc=eSxhPWFsaWNlLA==,r=x" + b"n" * 24 + b",p=" + b"A" * 43 + b"=\n",
    b"SCRAM-SHA-256\np=tls-unique,,n=alice,r=x\n",
)  # fmt: skip
SASL_WORDS = (b"\0", b"n,,", b"n=", b"r=", b",p=", b"=2C", b"=3D", b"alice", b"secret", b"biws", b"\n", b"m=x,")
NAME_SEEDS = (b"INBOX", b"inbox/x", b"A&AOQ-b", b"&ZeVnLIqe-", b"&-", "Entwürfe".encode(), b"&2D3cqg-", b"a\xc2\x85b")
NAME_WORDS = (b"&", b"-", b"&AOQ-", b"/", b"inbox", b"\xc3", b",")
PATTERN_SEEDS = (
    b"\n*\nINBOX",
    b"A/\n%\nA/b",
    b"\nA*b%c\nA/x/bxc",
    b"\n%/%\na/b",
    b"x\n%%**%\nxa/b",
    b"\ninbox/%\nINBOX/a",
)
TEXT_SEEDS = (
    b'text\n"quoted" OR NEAR(\nSubject: a "quoted" OR NEAR( b\n\nbody',
    b"body\nfalt\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nEinf=C3=A4ltig",
    "subject\nßtraße\nSubject: =?utf-8?q?STRASSE_=C3=9Ftra=C3=9Fe?=\n\nx".encode(),
    b"x-odd\nab\nX-Odd: cab\nx-odd:\n\n{header} : *",
)
TEXT_WORDS = (
    b'"',
    b"*",
    b"^",
    b"text\n",
    b"body\n",
    b":",
    b"\n\n",
    b"=?utf-8?q?=C3=9F?=",
    b"\x1e",
    b"\x1f",
    b"\xcc\x81",
)
SELECTED = (
    b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 5] x\r\n* OK [HIGHESTMODSEQ 95] x\r\n"
    b"* FLAGS (\\Seen $Work)\r\n* VANISHED (EARLIER) 2\r\n"
)
FETCHED = (
    b'* 3 FETCH (UID 4 FLAGS (\\Seen "x") MODSEQ (93) RFC822.SIZE 20 INTERNALDATE " 4-Nov-2026 08:00:00 +0100" '
    b'BODYSTRUCTURE (("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 5 1) "mixed" NIL ("inline" NIL) NIL) '
    b"BODY[1] {5}\r\nhello BODY[HEADER] {12}\r\nSubject: a\r\n BODY[HEADER.FIELDS (From)] {0}\r\n PREVIEW NIL)\r\n"
)
IMAP_ANSWERS = (
    b"IMAP4REV1 LIST-EXTENDED LIST-STATUS CONDSTORE QRESYNC ESEARCH SPECIAL-USE NAMESPACE ENABLE\n"
    b'* LIST (\\HasNoChildren \\Sent) "/" "Sent"\r\n* LIST () "/" INBOX\r\n* STATUS INBOX (MESSAGES 3 UNSEEN 1 UIDNEXT '
    b'5 UIDVALIDITY 7 HIGHESTMODSEQ 95)\r\n* LIST (\\Noselect) NIL {3}\r\na/b ("CHILDINFO" ("SUBSCRIBED"))\r\nS1 OK x\r\n'
    + SELECTED + b'* ESEARCH (TAG "S3") UID ALL 1,3:4 COUNT 3\r\nS2 OK x\r\nS3 OK x\r\nS4 OK x\r\n' + FETCHED
    + b"S5 OK x\r\n" + SELECTED + FETCHED + b"S6 OK x\r\nS7 OK x\r\nS8 OK x\r\n" + FETCHED + b"S9 OK x\r\nS10 OK x\r\n",
    b"IMAP4REV1 X-GM-EXT-1 CONDSTORE ESEARCH MOVE UIDPLUS LITERAL-\n"
    b'* LIST (\\All) "/" "[Gmail]/All Mail"\r\n* LSUB () "/" "&AOQ-"\r\nS1 OK x\r\nS2 OK x\r\n* STATUS "&AOQ-" (MESSAGES '
    b"0)\r\nS3 OK x\r\nS4 NO [NONEXISTENT] gone\r\n" + SELECTED
    + b'* 1 FETCH (UID 1 X-GM-MSGID 12 X-GM-THRID 12 X-GM-LABELS ("\\\\Inbox" Work {1}\r\nx) FLAGS ())\r\nS5 OK x\r\n'
    + FETCHED + b"".join(b"S%d OK x\r\n" % n for n in range(6, 20)),
    b"IMAP4REV1\n* BYE Too many connections\r\n",
    b"IMAP4REV1\n" + SELECTED + b"* SEARCH 1 3 4\r\n* 9 EXPUNGE\r\n" + b"".join(
        b"%bS%d OK [COPYUID 7 1:2 5:6] x\r\n" % (SELECTED + FETCHED, n) for n in range(1, 12)
    ),
)  # fmt: skip
IMAP_ANSWER_WORDS = (
    b"(", b")", b"NIL", b"{3}\r\n", b"{0}\r\n", b"{99999999999}\r\n", b"~{2}\r\n", b"\r\n", b'"', b"\\", b"* ", b"+ ",
    b"S1 OK\r\n", b"S2 NO [X] y\r\n", b"S3 BAD\r\n", b"* 1 FETCH (", b"BODY[]<0>", b"UID ", b"FLAGS (", b"MODSEQ (",
    b"* VANISHED 1:9\r\n", b"* OK [CLOSED]\r\n", b"* LIST ", b"* ESEARCH ", b"ALL 1:4294967295", b"* BYE x\r\n",
)  # fmt: skip
STRUCTURES = (
    b'(("text" "plain" ("charset" "utf-8" "name*" "utf-8\'\'%C3%A4") "<a@b>" "d" "quoted-printable" 9 2 NIL ("attachment" '
    b'("filename" "x")) "en" NIL)("message" "rfc822" NIL NIL NIL "7bit" 99 (NIL "s" ((NIL NIL "a" "b")) NIL NIL NIL NIL '
    b'NIL NIL "<i@d>") ("text" "html" NIL NIL NIL "base64" 5 1) 7 NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)',
    b'({5}\r\nimage "png" NIL NIL NIL "base64" 4294967295 NIL ("inline" NIL))',
)
MESSAGES = (
    b"From: =?utf-8?q?=C3=84?= <a@x.example>\r\nTo: b@y, \"c, d\" <d@z>\r\nSubject: =?utf-8?b?w6Q=?=\r\n =?utf-8?b?w6Q=?="
    b"\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\nMessage-ID: <1@x>\r\nReferences: <0@x> <1@y>\r\nContent-Type: multipart"
    b"/mixed; boundary=\"b\"\r\n\r\npre\r\n--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\nhi\r\n"
    b"--c\r\nContent-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>=E4<img "
    b"src=cid:x>=\r\n</p>\r\n--c--\r\n--b\r\nContent-Type: image/png; name*0*=utf-8''%C3;\r\n name*1*=%A4\r\nContent-"
    b"Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <x>\r\n\r\niVBO\r\n--b--\r\nepilogue",
    b"Content-Type: message/rfc822\n\nSubject: inner\nContent-Type: multipart/digest; boundary=z\n\n--z\n\nFrom: q\n\nx\n--z",
    b"From: a@x\rSubject: cr only\r\rbody", b"\n\nbody", b"", b"Content-Type: text/plain; format=flowed; delsp=yes\n\n> a \n",
    b"Content-Type: text/plain; charset=utf-7\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 x\n#86)C\n`\nend\n",
)  # fmt: skip
MESSAGE_WORDS = (
    b"Content-Type: multipart/mixed; boundary=b\r\n", b"--b\r\n", b"--b--\r\n", b"\r\n\r\n", b"Content-Type: message/rfc822",
    b"Content-Transfer-Encoding: base64\r\n", b"=?utf-8?b?", b"?=", b"name*0*=", b"utf-8''%", b";", b"charset=", b"(", b"\r",
    b"Content-Disposition: attachment; filename=", b"<p>", b"cid:x", b"From: ", b"Date: ", b":", b"\\", b"\xc3", b"begin 644 x",
)  # fmt: skip
CHARSETS = (
    b"utf-8\n\xc3\xa4", b"iso-2022-jp\n\x1b$B%F%9%H\x1b(B", b"utf-7\n+AOQ-", b"gb18030\n\x84\x31\xa4\x37", b"hz\n~{VPND~}",
    b"utf-16\n\xff\xfea\0", b"x-unknown\nabc", b"idna\nxn--", b"base64\nAAAA", b"\n\xe4\xf6", b"windows-1252\n\x81\x80",
    b"us-ascii\ntext/plain; name*0*=utf-8''%C3%A4; name*1=b; name=\"q\\\"\"", b"punycode\n-a", b"unicode_escape\n\\ud800",
)  # fmt: skip
HTML = (
    b"<p style='color:red;position:fixed'>a<a href=http://x.example/ onclick=y>b</a><img src=\"https://x/1.png\"></p>",
    b"<style>@media x{p{color:red}}</style><table background=cid:x><td bgcolor=red><form action=/x><input>",
    b'<svg><style><img src=x onerror=alert(1)></style></svg><math><mtext><mglyph><style><!--</style><img title="--&gt;">',
    b"<!--[if mso]><p>x<![endif]--><base href=//x><blockquote type=cite>q</blockquote>&#x3c;script&gt;",
)
HTML_WORDS = (
    b"<", b">", b"</", b"<!--", b"-->", b"<![CDATA[", b"]]>", b'"', b"'", b"`", b"=", b"&lt;", b"<svg>", b"<math>", b"<style>",
    b"</style>", b"<script>", b"<noscript>", b"<template>", b" onerror=", b" src=", b" href=", b"javascript:", b"data:text/html",
    b"<table>", b"<td>", b"<select>", b"<title>", b"<textarea>", b"<mtext>", b"<annotation-xml>", b"<foreignObject>", b"<plaintext>",
)  # fmt: skip
CSS = (
    b"body .lead > a:hover{color:red !important;background:url(x)}@media (max-width:9px){p{margin:0}}@import 'x';",
    b"color:red;width:expression(1);background:u\\72l(x);font:12px/1 a,'b';position:fixed",
)
CSS_WORDS = (
    b"{",
    b"}",
    b"(",
    b"url(",
    b"\\",
    b"/*",
    b"*/",
    b"@media ",
    b"@import ",
    b"!important",
    b";",
    b":",
    b"</style",
    b"'",
)
AUTOCONFIGS = (
    b'<?xml version="1.0"?><clientConfig version="1.1"><emailProvider id="x"><incomingServer type="imap"><hostname>imap.x'
    b"</hostname><port>993</port><socketType>SSL</socketType><username>%EMAILADDRESS%</username></incomingServer>"
    b'<outgoingServer type="smtp"><hostname>%EMAILDOMAIN%</hostname><port>587</port><socketType>STARTTLS</socketType>'
    b"</outgoingServer></emailProvider></clientConfig>",
    b'<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a [<!ENTITY b "c">]><clientConfig>&b;</clientConfig>',
)
AUTOCONFIG_WORDS = (
    b"<", b"</", b"/>", b"<!DOCTYPE ", b"<!ENTITY ", b"&a;", b"&#0;", b"&#x110000;", b"<port>", b"</port>", b"<![CDATA[", b"]]>",
    b'encoding="utf-16"', b"<hostname>", b"xmlns:a='b'", b"%EMAILLOCALPART%", b'type="imap"',
)  # fmt: skip
ADDRESSES = (
    b'Ines <ines@example.org>, "Holt, \\"M" <m.holt@x.example>; Choir: a@x.example, b@y.example;, c@z.example (comment (nested))',
    "Ünes <ünes@münchen.example>, =?utf-8?q?=C3=84?= <a@b.example>".encode(),
    b'"a b"@x.example, a@[127.0.0.1], <@r.example:b@y.example>, undisclosed-recipients:;',
)
ADDRESS_WORDS = (
    b"<",
    b">",
    b"@",
    b'"',
    b"\\",
    b"(",
    b")",
    b",",
    b";",
    b":",
    b"=?utf-8?q?",
    b"?=",
    b"[",
    b"]",
    b"\r\n ",
    b"xn--",
    b".",
)
