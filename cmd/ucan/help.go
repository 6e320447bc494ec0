package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ucan/internal/nearest"
	"ucan/internal/wrap"
)

// helpWidth is the width of a line of help, in characters.
const helpWidth = 100

// setHelp gives a command and those below it their help.
func setHelp(root *cobra.Command) {
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { writeHelp(cmd.OutOrStdout(), cmd) })
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		writeUsage(cmd.OutOrStderr(), cmd)
		return nil
	})
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(&cobra.Command{Use: "exit-codes", Short: "What the exit code of a command means", Long: exitCodesHelp})
}

func writeHelp(w io.Writer, cmd *cobra.Command) {
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	fmt.Fprintln(w, wrap.Text(text, helpWidth))
	if cmd.IsAdditionalHelpTopicCommand() {
		return
	}
	fmt.Fprintln(w)
	writeUsage(w, cmd)
	fmt.Fprintf(w, "\nExit codes: %s help exit-codes\n", cmd.Root().Name())
}

// writeUsage lists how a command is called, its subcommands, and its flags by section.
func writeUsage(w io.Writer, cmd *cobra.Command) {
	fmt.Fprintln(w, "Usage:")
	if cmd.Runnable() && !cmd.HasSubCommands() {
		fmt.Fprintf(w, "  %s\n", cmd.UseLine())
	} else {
		fmt.Fprintf(w, "  %s COMMAND [flags]\n", cmd.CommandPath())
	}
	if cmd.HasExample() {
		fmt.Fprintf(w, "\nExamples:\n%s\n", wrap.Example(cmd.Example, helpWidth))
	}
	var commands, topics [][2]string
	for _, sub := range cmd.Commands() {
		switch entry := [2]string{sub.Name(), sub.Short}; {
		case sub.IsAdditionalHelpTopicCommand():
			topics = append(topics, [2]string{"help " + sub.Name(), sub.Short})
		case sub.IsAvailableCommand() || sub.Name() == "help":
			commands = append(commands, entry)
		}
	}
	writeList(w, "Commands", commands, 0)
	writeList(w, "Topics", topics, 0)
	bySection, width := flagsBySection(cmd)
	for _, s := range sections() {
		writeList(w, string(s), bySection[s], width)
	}
}

// flagsBySection lists the flags of a command with their texts, and how wide the widest of them is.
func flagsBySection(cmd *cobra.Command) (list map[section][][2]string, width int) {
	list = map[section][][2]string{}
	add := func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		s := otherSection
		if annotation := f.Annotations[sectionAnnotation]; len(annotation) == 1 && annotation[0] != "" {
			s = section(annotation[0])
		}
		name, text := describeFlag(f)
		width = max(width, utf8.RuneCountInString(name))
		list[s] = append(list[s], [2]string{name, text})
	}
	cmd.LocalFlags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	return list, width
}

// describeFlag gives a flag's names with the type of its value, and its text with the default.
func describeFlag(f *pflag.Flag) (name, text string) {
	name = "    --" + f.Name
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", --" + f.Name
	}
	kind, text := pflag.UnquoteUsage(f)
	switch kind {
	case "":
	case "strings":
		name += " list"
	default:
		name += " " + kind
	}
	switch f.DefValue {
	case "", "0", "false", "[]":
	default:
		text += fmt.Sprintf(" (default %s)", strings.Trim(f.DefValue, "[]"))
	}
	return name, text
}

// writeList writes entries in two columns; the first is at least width wide.
func writeList(w io.Writer, title string, entries [][2]string, width int) {
	if len(entries) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s:\n", title)
	for _, e := range entries {
		width = max(width, utf8.RuneCountInString(e[0]))
	}
	for _, e := range entries {
		name := e[0] + strings.Repeat(" ", width-utf8.RuneCountInString(e[0]))
		fmt.Fprintln(w, wrap.Line("  "+name+"  ", width+4, e[1], helpWidth))
	}
}

// flagError is the error of a command line that cannot be read; it names the flag that was probably
// meant.
func flagError(cmd *cobra.Command, err error) error {
	var missing *pflag.NotExistError
	path := cmd.CommandPath()
	if errors.As(err, &missing) && missing.GetSpecifiedShortnames() == "" {
		var known []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
		err = fmt.Errorf("unknown flag --%s", missing.GetSpecifiedName())
		if near := nearest.Word(missing.GetSpecifiedName(), known); near != "" {
			return usagef("read the command line of %q: %w; did you mean --%s?", path, err, near)
		}
	}
	return usagef("read the command line of %q: %w; run %q to see the flags", path, err, path+" --help")
}

// checkCommand returns an error for a word where a subcommand should stand; it names the one that
// was probably meant.
func checkCommand(root *cobra.Command, args []string) error {
	completeTopics(root)
	root.InitDefaultCompletionCmd(args...)
	if len(args) > 0 && args[0] == "help" {
		args = args[1:]
	}
	cmd, rest, _ := root.Find(args) // what it finds before its own error is all that is needed
	if !cmd.HasSubCommands() || len(rest) == 0 || strings.HasPrefix(rest[0], "-") || strings.HasPrefix(rest[0], "__") {
		return nil
	}
	return noSuchCommand(cmd, rest)
}

// completeTopics has the shell complete the arguments of help to the topics as well, which cobra's
// own completion leaves out because they don't run.
func completeTopics(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	help, _, err := root.Find([]string{"help"})
	if err != nil || help.ValidArgsFunction == nil {
		return
	}
	commands := help.ValidArgsFunction
	help.ValidArgsFunction = func(c *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		found, directive := commands(c, args, begun)
		at, _, err := root.Find(args)
		if err != nil {
			return found, directive
		}
		for _, sub := range at.Commands() {
			if sub.IsAdditionalHelpTopicCommand() && strings.HasPrefix(sub.Name(), begun) {
				found = append(found, cobra.CompletionWithDesc(sub.Name(), sub.Short))
			}
		}
		return found, directive
	}
}

// noSuchCommand refuses arguments of a command that has subcommands.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var known []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			known = append(known, sub.Name())
		}
	}
	return usagef("read the command line of %q: %w", cmd.CommandPath(), unknown("command", args[0], known))
}

// needsCommand is the error of a command that does nothing without a subcommand.
func needsCommand(cmd *cobra.Command, _ []string) error {
	return usagef("read the command line of %q: no command given; run %q to see them", cmd.CommandPath(), cmd.CommandPath()+" --help")
}
