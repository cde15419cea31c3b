"""Crypto suites (密码套件) beside RSA and ECDSA: what the libraries below us do not know, kept in one room."""

import engine.trust.suites.identifiers  # noqa: F401 - nobody meets a suite without the names it goes by
