"""What things are: frozen records and the rules that hold on them. No I/O, no clock, no kernel."""
