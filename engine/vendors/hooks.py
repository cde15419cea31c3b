"""The hooks a plugin may implement; each only registers providers by name and is called once, at the start.

A plugin is a module named by an entry point in the group ``sealflow.plugins``. A factory is a class or function whose
parameters are ``home`` (the installation's folder), ``settings`` (its own table of the settings file, as the frozen
dataclass or Struct it is annotated with), both, or none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pluggy

from engine.vendors.protocols import CertificateIssuer, FaceVerifier, OcrEngine, SmsSender, Storage

NAMESPACE = "sealflow"
GROUP = "sealflow.plugins"

hookspec = pluggy.HookspecMarker(NAMESPACE)
hookimpl = pluggy.HookimplMarker(NAMESPACE)


@hookspec
def sealflow_storages() -> Mapping[str, Callable[..., Storage]]:
    """Content stores by name."""
    raise NotImplementedError


@hookspec
def sealflow_sms_senders() -> Mapping[str, Callable[..., SmsSender]]:
    """Senders of text messages by name."""
    raise NotImplementedError


@hookspec
def sealflow_face_verifiers() -> Mapping[str, Callable[..., FaceVerifier]]:
    """Face checks by name."""
    raise NotImplementedError


@hookspec
def sealflow_ocr_engines() -> Mapping[str, Callable[..., OcrEngine]]:
    """Readers of page images by name."""
    raise NotImplementedError


@hookspec
def sealflow_certificate_issuers() -> Mapping[str, Callable[..., CertificateIssuer]]:
    """Authorities for one-time certificates by name."""
    raise NotImplementedError


@hookspec
def sealflow_stages() -> Mapping[str, type]:
    """Stage classes by the name they have in a pipeline file."""
    raise NotImplementedError


PROTOCOLS: Mapping[str, type] = {
    "sealflow_storages": Storage,
    "sealflow_sms_senders": SmsSender,
    "sealflow_face_verifiers": FaceVerifier,
    "sealflow_ocr_engines": OcrEngine,
    "sealflow_certificate_issuers": CertificateIssuer,
}
"""What the providers of each hook implement; stages are no providers."""
