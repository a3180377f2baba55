/// Which replicas a request needs.
