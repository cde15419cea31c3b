"""Evidence records (证据记录, RFC 4998): one timestamp for a whole archive, and a proof for each document in it."""
