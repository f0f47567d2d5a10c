"""The processes on one machine: which ones run, with which settings, and how they start and stop.

``make up``, ``make down`` and ``make status`` run this package. ``bootstrap`` needs only Python and creates
the virtual environment in which the rest runs. Nothing in clubsync imports it.
"""
