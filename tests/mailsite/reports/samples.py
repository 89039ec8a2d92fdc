"""Reports as others write them, of our own making."""

from __future__ import annotations

import base64
import gzip
import io
import zipfile

OLD = b"""<?xml version="1.0" encoding="UTF-8" ?>
<feedback>
  <report_metadata>
    <org_name>there.example</org_name>
    <email>noreply-dmarc@there.example</email>
    <report_id>13190567452861423</report_id>
    <date_range><begin>1795392000</begin><end>1795478399</end></date_range>
  </report_metadata>
  <policy_published>
    <domain>example.org</domain><adkim>r</adkim><aspf>r</aspf><p>none</p><sp>none</sp><pct>100</pct>
  </policy_published>
  <record>
    <row>
      <source_ip>192.0.2.7</source_ip>
      <count>12</count>
      <policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>pass</spf></policy_evaluated>
    </row>
    <identifiers><header_from>example.org</header_from></identifiers>
    <auth_results>
      <dkim><domain>example.org</domain><result>pass</result><selector>s1</selector></dkim>
      <spf><domain>example.org</domain><result>pass</result></spf>
    </auth_results>
  </record>
  <record>
    <row>
      <source_ip>2001:DB8::0:1</source_ip>
      <count>3</count>
      <policy_evaluated>
        <disposition>reject</disposition><dkim>fail</dkim><spf>fail</spf>
        <reason><type>forwarded</type><comment>looks so</comment></reason>
      </policy_evaluated>
    </row>
    <identifiers><header_from>Example.ORG</header_from><envelope_from>bounce.else.example</envelope_from></identifiers>
    <auth_results>
      <dkim><domain>else.example</domain><result>pass</result></dkim>
      <dkim><domain>example.org</domain><result>fail</result></dkim>
      <spf><domain>bounce.else.example</domain><result>softfail</result></spf>
    </auth_results>
  </record>
</feedback>
"""
NEW = b"""<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0" xmlns:x="https://there.example/x">
  <version>1.0</version>
  <report_metadata>
    <org_name>there.example</org_name><email>d@there.example</email>
    <extra_contact_info lang="en">https://there.example/d</extra_contact_info>
    <report_id>n1</report_id>
    <date_range><begin>1795392000</begin><end>1795478399</end></date_range>
    <error lang="en">slow DNS</error><generator>There 2</generator>
  </report_metadata>
  <policy_published>
    <domain>example.org</domain><p>reject</p><sp>quarantine</sp><np>reject</np><adkim>s</adkim><aspf>r</aspf>
    <discovery_method>treewalk</discovery_method><fo>1</fo><testing>n</testing>
  </policy_published>
  <extension><x:more>anything</x:more></extension>
  <record>
    <row><source_ip>192.0.2.9</source_ip><count>1</count>
      <policy_evaluated><disposition>pass</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>
    <identifiers><header_from>example.org</header_from></identifiers>
    <auth_results><dkim><domain>example.org</domain><selector>s1</selector><result>pass</result></dkim>
      <spf><domain>example.org</domain><scope>mfrom</scope><result>none</result></spf></auth_results>
  </record>
</feedback>"""
TLS = b"""{
 "organization-name": "There Ltd.",
 "date-range": {"start-datetime": "2026-11-23T00:00:00Z", "end-datetime": "2026-11-23T23:59:59Z"},
 "contact-info": "tls@there.example", "report-id": "2026-11-23T00:00:00Z_example.org",
 "policies": [
  {"policy": {"policy-type": "sts", "policy-string": ["version: STSv1", "mode: testing"],
              "policy-domain": "example.org", "mx-host": ["mail.example.org"]},
   "summary": {"total-successful-session-count": 5326, "total-failure-session-count": 303},
   "failure-details": [
    {"result-type": "certificate-expired", "sending-mta-ip": "192.0.2.3", "receiving-mx-hostname": "Mail.example.org",
     "failed-session-count": 100},
    {"result-type": "starttls-not-supported", "receiving-mx-hostname": "mail.example.org",
     "receiving-ip": "192.0.2.4", "failed-session-count": 203, "additional-information": "https://there.example/i"}]},
  {"policy": {"policy-type": "no-policy-found", "policy-domain": "example.org", "mx-host": "mail.example.org"},
   "summary": {"total-successful-session-count": 2, "total-failure-session-count": 0}}]}"""


def zipped(*files: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for number, octets in enumerate(files):
            archive.writestr(f"report{number}.xml", octets)
    return packed.getvalue()


def streamed_zip(octets: bytes) -> bytes:
    """As a program writes one that cannot seek: sizes come after the file."""

    class Pipe(io.RawIOBase):
        def __init__(self):
            self.written = bytearray()

        def writable(self):
            return True

        def write(self, octets):
            self.written += bytes(octets)
            return len(octets)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("report.xml", octets)
    return bytes(pipe.written)


def mail(octets: bytes = b"", media_type: str = "application/gzip", author: str = "d@there.example") -> bytes:
    """A mail with a report attached, gzip unless said otherwise."""
    body = base64.encodebytes(octets or gzip.compress(OLD)).replace(b"\n", b"\r\n")
    return (
        f"From: Reports <{author}>\r\nTo: dmarc-reports@example.org\r\nSubject: Report\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\nA report.\r\n"
        f"--b\r\nContent-Type: {media_type}\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    ).encode() + body + b"--b--\r\n"  # fmt: skip


BOUNCE = (
    b"From: MAILER-DAEMON@there.example\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n"
    b"\r\n--b\r\n\r\nNot delivered.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
    b"Final-Recipient: rfc822; x@there.example\r\n--b--\r\n"
)
