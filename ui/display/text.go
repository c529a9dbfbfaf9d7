package display

// The largest and the smallest scale of words. Desktops offer 0.5 to 3. Beyond
// these limits, words would not fit or could not be read.
const (
	textLeast = .8
	textMost  = 2
)

// usualText is the scale if the desktop asks for none, or for an impossible one.
const usualText = 1

// textScale is how much larger than usual words are, for a desktop that asks for
// scale.
func textScale(scale float64) float32 {
	if !(scale > 0) { // NaN too
		return usualText
	}
	return float32(min(max(scale, textLeast), textMost))
}
