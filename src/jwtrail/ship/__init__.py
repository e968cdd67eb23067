"""Handing the trail on: a follower with a durable position feeds sinks, and what a sink refuses is kept with its cause."""
