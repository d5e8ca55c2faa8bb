"""What a study is shown by: report, plots, map, dashboard, export, model card."""
