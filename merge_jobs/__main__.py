"""`python -m merge_jobs` is the twin of `merge-job`."""

from merge_jobs.cli import main

if __name__ == "__main__":
    main()
