"""Lets pyHanko tell certificates apart by their serial numbers and names by their bytes before it prepares strings.

Installed by importing this module. RFC 5280, 7.1 compares names after preparing every string in them, 0.3 ms a pair;
names of the same bytes are the same name, and a certificate with another serial number is another one.
"""

from __future__ import annotations

from asn1crypto import cms, tsp, x509
from pyhanko.sign import general

_original_match = general.match_issuer_serial
_original_equal = x509.RDNSequence.__eq__


def match_issuer_serial(
    expected_issuer_serial: cms.IssuerAndSerialNumber | tsp.IssuerSerial, cert: x509.Certificate
) -> bool:
    """Whether issuer and serial number are the certificate's."""
    if expected_issuer_serial["serial_number"].contents != cert["tbs_certificate"]["serial_number"].contents:
        return False
    return _original_match(expected_issuer_serial, cert)


def equal_names(self: x509.RDNSequence, other: object) -> bool:
    """Whether two names are the same (RFC 5280, 7.1)."""
    if isinstance(other, x509.RDNSequence) and self.dump() == other.dump():
        return True
    same: bool = _original_equal(self, other)
    return same


general.match_issuer_serial = match_issuer_serial
x509.RDNSequence.__eq__ = equal_names
