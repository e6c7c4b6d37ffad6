"""The calibrated linear head that classifiers train."""
