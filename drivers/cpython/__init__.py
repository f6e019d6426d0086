"""The rooms of drivers/python. options -> crew -> work -> judge -> trace -> summary."""
