"""The demo PKI (演示 CA) and its server; it proves nothing about anybody and refuses production."""
