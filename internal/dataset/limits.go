package dataset

// Limits of what is read, so that no file exhausts memory, disk or time; docs/limits.md
// lists them. Those beside their readers are the same kind.
const (
	// maxEntries bounds the images of one folder or archive.
	maxEntries = 20_000_000
	// maxMembers bounds the members of an archive, images or not.
	maxMembers = 1 << 25
	// maxDepth bounds the nesting of folders.
	maxDepth = 64
	// maxFolders bounds the folders of one source.
	maxFolders = 1 << 20
	// maxDigits bounds the generated digits.
	maxDigits = 10_000_000
	// maxCSVRecord bounds one row of a table, quoted line breaks included, in bytes.
	maxCSVRecord = 16 << 20
	// maxLabelMap bounds the lines of a label map.
	maxLabelMap = 1 << 20
	// maxInflated is what any compressed file may inflate to, and maxRatio how many times
	// its own size it may inflate to beyond that.
	maxInflated = 1 << 30
	maxRatio    = 100
)
