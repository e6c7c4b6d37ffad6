"""The calibrated linear head that classifiers train on their features."""
