"""A real Kubernetes on one Linux machine: the parts of scripts/devcluster/devcluster."""
