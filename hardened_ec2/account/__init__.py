"""Account-wide settings, session recording and alarms."""
