"""The kernel: what a stage is, how a pipeline file becomes stages, how a run advances; knows no stage and no queue."""
