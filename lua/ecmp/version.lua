---The version of this program; CHANGELOG.md has what it promises.
return "0.1.0"
