"""A project on a cluster: Docker Swarm as the engine."""
