"""Pure values and functions: settings, stack, release, facts, plan, checks. No input or output, no import of ours."""
