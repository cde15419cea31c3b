"""Wires settings, plugins, records and stages into a running engine."""
