"""Sealflow's engine: turns a document into a contract that stands up; knows no HTTP door and no vendor."""
