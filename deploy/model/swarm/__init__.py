"""What a project is on a cluster: Docker Swarm as the engine. Pure values and functions."""
