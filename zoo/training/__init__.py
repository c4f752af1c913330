"""What every training needs: the loop, checkpoints, processes, options, judges."""
