"""What the workflow plans: its rules, the files of its jobs, and what each of them depends on."""
