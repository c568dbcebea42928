"""Jobs: durable, scheduled retraining; the only package of training that imports dbos.

place.py      words and addresses that workers and clients share
client.py     schedules and jobs, for those who run none of them
worker.py     the process that runs jobs, settings.py what it is told
workflows.py  what it runs, as workflows of DBOS
story.py      a retraining as steps
steps.py      a step: a stage, tried again where that may help
child.py      the process in which stages run
holder.py     a worker's name
"""

from training.jobs.client import Jobs, open_jobs

__all__ = ["Jobs", "open_jobs"]
