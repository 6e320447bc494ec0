package audit

// UnderivableHelp is the list for a command's help.
func UnderivableHelp() string { return "" }
