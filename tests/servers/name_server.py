"""An authoritative name server on loopback: a zone as a mapping, over UDP and TCP."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

UDP_OCTETS = 1232


@dataclass
class Zone:
    """Records in presentation form by (name, type); a name without any is NXDOMAIN.  May be changed while served."""

    records: Mapping[tuple[str, str], Sequence[str]]
    failing: Sequence[str] = ()  # SERVFAIL
    silent: Sequence[str] = ()  # never answered
    asked: list[tuple[str, str]] = field(default_factory=list)

    def reply_to(self, question: bytes) -> dns.message.Message | None:
        query = dns.message.from_wire(question)
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA
        name, kind = query.question[0].name, dns.rdatatype.to_text(query.question[0].rdtype)
        key = name.to_text(omit_final_dot=True).lower()
        self.asked.append((key, kind))
        if key in self.silent:
            return None
        if key in self.failing:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif not self._add(reply, key, kind, 9):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply

    def _add(self, reply: dns.message.Message, key: str, kind: str, hops: int) -> bool:
        """Does the name exist?  CNAMEs are followed as far as the zone goes."""
        for found in {kind, "CNAME"}:
            if values := self.records.get((key, found)):
                reply.answer.append(dns.rrset.from_text(dns.name.from_text(key), 60, "IN", found, *values))
                if found == "CNAME" != kind and hops:
                    self._add(reply, values[0].rstrip(".").lower(), kind, hops - 1)
        return any(name == key for name, _ in self.records)


@contextmanager
def serve(zone: Zone, address: tuple[str, int] = ("127.0.0.1", 0)) -> Iterator[str]:
    """Answer for `zone` until the block is left; the value is what NAME_SERVER takes."""

    class OverUdp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            question, link = self.request
            if reply := _reply(zone, question):
                link.sendto(_fitting(reply), self.client_address)

    class OverTcp(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            question = self.rfile.read(int.from_bytes(self.rfile.read(2), "big"))
            if reply := _reply(zone, question):
                wire = reply.to_wire(max_size=65_535)
                self.wfile.write(len(wire).to_bytes(2, "big") + wire)

    with socketserver.ThreadingTCPServer(address, OverTcp) as tcp:
        tcp.daemon_threads = True
        with socketserver.ThreadingUDPServer(tcp.server_address, OverUdp) as udp:
            for server in (tcp, udp):
                threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            try:
                yield f"{address[0]}:{tcp.server_address[1]}"
            finally:
                tcp.shutdown()
                udp.shutdown()


def _reply(zone: Zone, question: bytes) -> dns.message.Message | None:
    try:
        return zone.reply_to(question)
    except dns.exception.DNSException:
        return None


def _fitting(reply: dns.message.Message) -> bytes:
    """Too large for UDP: come again by TCP (RFC 2181 §9)."""
    wire = reply.to_wire(max_size=65_535)
    if len(wire) <= UDP_OCTETS:
        return wire
    reply.answer = []
    reply.flags |= dns.flags.TC
    return reply.to_wire()
