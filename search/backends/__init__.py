"""Where evaluations run: in this process, worker processes, Ray actors, Ray Tune."""
