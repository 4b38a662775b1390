"""What training loops share: functions that a recipe calls, never a framework that calls it."""
