"""Teaches the ASN.1 library the names of SM2 and SM3; importing it is enough, and every process that parses does.

Source of the object identifiers: GM/T 0006, and GM/T 0010 for messages whose makers use its own for CMS.
"""

from __future__ import annotations

from asn1crypto.algos import DigestAlgorithmId, SignedDigestAlgorithmId
from asn1crypto.cms import ContentType
from asn1crypto.keys import NamedCurve

SM3 = "1.2.156.10197.1.401"
SM2_WITH_SM3 = "1.2.156.10197.1.501"
SM2_SIGNATURE = "1.2.156.10197.1.301.1"
"""Names the mechanism without the digest, as messages of GM/T 0010 do."""
SM2_CURVE = "1.2.156.10197.1.301"

for _kind, _identifier, _name in (
    (DigestAlgorithmId, SM3, "sm3"),
    (SignedDigestAlgorithmId, SM2_WITH_SM3, "sm2_sm3"),
    (SignedDigestAlgorithmId, SM2_SIGNATURE, "sm2"),
):
    _kind._map[_identifier] = _name
    if _kind._reverse_map is not None:  # otherwise it is made from the map at its first use
        _kind._reverse_map[_name] = _identifier
# In front, so that what is written keeps the identifiers of RFC 5652: the last of two names is the one used.
ContentType._map = {
    "1.2.156.10197.6.1.4.2.1": "data",
    "1.2.156.10197.6.1.4.2.2": "signed_data",
    **ContentType._map,
}
NamedCurve.register("sm2", SM2_CURVE, 32)
