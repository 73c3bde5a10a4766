"""Docker on one machine: compose projects, images, base images, the engine itself."""
