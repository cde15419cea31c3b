"""Orders certificates into chains by names and signatures; says nothing about trust, times or revocation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtensionOID

from engine.trust.suites.verification import is_sm2, verify_sm2

_LONGEST = 12


@dataclass(frozen=True, slots=True)
class Chain:
    """A certificate to prove and others that may lead to its root; DER."""

    certificate: bytes
    others: tuple[bytes, ...] = ()


def load_certificate(der: bytes) -> x509.Certificate | None:
    """Parse one certificate, None when it is none."""
    try:
        return x509.load_der_x509_certificate(der)
    except ValueError:
        return None


def issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the issuer's name and key made this certificate."""
    return _verify_issued(certificate, issuer) is True


def denies_itself(certificate: x509.Certificate) -> bool:
    """Whether a root's own signature is wrong; one whose algorithm is too old to be checked denies nothing."""
    return is_self_signed(certificate) and _verify_issued(certificate, certificate) is False


def is_damaged(certificate: x509.Certificate, pool: Iterable[x509.Certificate]) -> bool:
    """Whether the very key that a certificate names as its issuer's did not sign it."""
    named = _key_identifier(certificate, x509.AuthorityKeyIdentifier)
    issuers = [other for other in pool if other.subject == certificate.issuer]
    if named is not None:
        issuers = [other for other in issuers if _key_identifier(other, x509.SubjectKeyIdentifier) == named]
    told = [_verify_issued(certificate, issuer) for issuer in issuers] if named is not None else []
    return False in told and True not in told


def _key_identifier(
    certificate: x509.Certificate, kind: type[x509.AuthorityKeyIdentifier | x509.SubjectKeyIdentifier]
) -> bytes | None:
    try:
        value = certificate.extensions.get_extension_for_class(kind).value
    except Exception:  # extensions of foreign certificates hold anything; this one only helps to find an issuer
        return None
    return value.digest if isinstance(value, x509.SubjectKeyIdentifier) else value.key_identifier


def _verify_issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool | None:
    """None when nobody here can tell."""
    if certificate.issuer != issuer.subject:
        return False
    try:
        if is_sm2(certificate.signature_algorithm_oid):
            verify_sm2(issuer, certificate.signature, certificate.tbs_certificate_bytes)
            return True
        key = issuer.public_key()
        if isinstance(certificate.signature_hash_algorithm, SHA1) and isinstance(key, rsa.RSAPublicKey):
            # Most roots in use before 2015; what it is worth is for the path and its finding to say.
            key.verify(certificate.signature, certificate.tbs_certificate_bytes, padding.PKCS1v15(), SHA1())  # noqa: S303 - as found
        else:
            certificate.verify_directly_issued_by(issuer)
    except InvalidSignature:
        return False
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return True


def build_chain(leaf: x509.Certificate, pool: Iterable[x509.Certificate]) -> list[x509.Certificate]:
    """Give leaf, its issuer, and so on, as far as the pool reaches; ends with a self-signed one if it is there."""
    known = list(pool)
    chain = [leaf]
    while len(chain) < _LONGEST and not is_self_signed(chain[-1]):
        last = chain[-1]
        found = next((other for other in known if other.subject == last.issuer and issued_by(last, other)), None)
        if found is None or found in chain:
            break
        chain.append(found)
    return chain


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Whether a certificate names itself as issuer."""
    return certificate.subject == certificate.issuer


def addresses(certificate: x509.Certificate, method: x509.ObjectIdentifier) -> list[str]:
    """HTTP addresses of OCSP responders or issuers' certificates (RFC 5280, 4.2.2.1)."""
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return _web(entry.access_location for entry in access if entry.access_method == method)


def list_addresses(certificate: x509.Certificate) -> list[str]:
    """HTTP addresses of revocation lists (RFC 5280, 4.2.1.13)."""
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return _web(name for point in points for name in point.full_name or ())


def needs_no_revocation(certificate: x509.Certificate) -> bool:
    """Whether its issuer says that it need not be checked (RFC 6960, 4.2.2.2.1)."""
    try:
        certificate.extensions.get_extension_for_oid(ExtensionOID.OCSP_NO_CHECK)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return True


def _web(names: Iterable[x509.GeneralName]) -> list[str]:
    found = [name.value for name in names if isinstance(name, x509.UniformResourceIdentifier)]
    return [address for address in found if address.lower().startswith(("http://", "https://"))]


OCSP = AuthorityInformationAccessOID.OCSP
ISSUERS = AuthorityInformationAccessOID.CA_ISSUERS
