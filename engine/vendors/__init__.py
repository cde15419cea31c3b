"""What vendors implement and how they are found: Protocols, hooks, registry and conformance kit."""
