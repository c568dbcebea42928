"""The containers of docker-compose.yml as local processes, for machines without a container engine.

compose.py     docker-compose.yml as containers: commands, environments, health checks, volumes
images.py      what an image adds: our Dockerfiles, and the programs of Debian that stand in for images of others
places.py      where a container's name, port and paths are on this machine
sandbox.py     one container as a process with its own root file system, user and process ids
running.py     start in the order of health, kill, stop, restart
"""
