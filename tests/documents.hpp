// Markdown, as far as the tests of the documentation read it.
#pragma once

#include <filesystem>
#include <fstream>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

namespace documents {

using Lines = std::vector<std::string>;

// A fenced block: the word after the opening fence, and the lines up to the closing one.
struct Block {
  std::string language;
  Lines lines;
};

inline Lines lines(const std::filesystem::path& file) {
  std::ifstream stream(file);
  if (!stream) throw std::runtime_error("cannot read " + file.string());
  Lines all;
  for (std::string line; std::getline(stream, line);) all.push_back(line);
  return all;
}

struct Document {
  Lines prose;
  std::vector<Block> blocks;
};

inline Document parse(const std::filesystem::path& file) {
  Document document;
  bool inside = false;
  for (auto& line : lines(file)) {
    if (line.starts_with("```")) {
      inside = !inside;
      if (inside) document.blocks.push_back({.language = line.substr(3), .lines = {}});
    } else if (inside) {
      document.blocks.back().lines.push_back(line);
    } else {
      document.prose.push_back(line);
    }
  }
  return document;
}

inline Lines prose(const std::filesystem::path& file) {
  return parse(file).prose;
}

// The blocks of one language, in order.
inline std::vector<Lines> blocks(const std::filesystem::path& file, const std::string& language) {
  std::vector<Lines> found;
  for (auto& block : parse(file).blocks) {
    if (block.language == language) found.push_back(std::move(block.lines));
  }
  return found;
}

// The targets of [text](target) outside fenced blocks.
inline std::vector<std::string> links(const std::filesystem::path& file) {
  static const std::regex link(R"(\]\(([^)\s]+)\))");
  std::vector<std::string> targets;
  for (const auto& line : prose(file)) {
    for (std::sregex_iterator match(line.begin(), line.end(), link), end; match != end; ++match) {
      targets.push_back((*match)[1]);
    }
  }
  return targets;
}

}  // namespace documents
