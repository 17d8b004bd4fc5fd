---The version of this program; CHANGELOG.md says what it promises.
return "0.1.0"
