"""Seals (印章) as pictures: drawn from a name, or cleaned from a photograph; no cryptography, no document."""
