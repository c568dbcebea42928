"""Durable, scheduled retraining; the only package of training that imports DBOS.

client.py            schedules and jobs, for programs that do not run jobs
connection.py        the jobs' database
rows.py              schedules and jobs as plain data
settings.py          a worker's settings
worker.py            the process that runs jobs
worker_lock.py       the lock on a worker's name
recovery.py          missed ticks and cancelled jobs, when a worker starts
workflows.py         the DBOS workflows that a worker runs
retrain_workflow.py  a retraining as a sequence of steps
steps.py             one step: runs a stage, with retries
stage_runner.py      the process that runs stages
"""
