// The habits that a machine can check: layout, arrows between rooms, the registry, text.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ipc/channels.hpp"
#include "tests/documents.hpp"

namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Names = std::set<std::string>;

const fs::path project = PROJECT_SOURCE_DIR;

// Every file that people write, relative to the project: nothing built, measured or generated.
std::vector<fs::path> sources() {
  const Names skipped{"build",
                      ".git",
                      ".cache",
                      "results/out",
                      "results/data",
                      "results/published",
                      "compile_commands.json",
                      "CMakeUserPresets.json"};
  std::vector<fs::path> files;
  for (fs::recursive_directory_iterator entry(project), end; entry != end; ++entry) {
    const fs::path path = entry->path().lexically_relative(project);
    if (skipped.contains(path.string())) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file()) {
      files.push_back(path);
    }
  }
  return files;
}

std::vector<fs::path> sources_ending_in(std::string_view ending) {
  auto files = sources();
  std::erase_if(files, [&](const fs::path& file) { return !file.string().ends_with(ending); });
  return files;
}

// The files, with line numbers, in which a line breaks a habit.
template <class Breaks>
std::vector<std::string> lines_where(const std::vector<fs::path>& files, Breaks breaks) {
  std::vector<std::string> found;
  for (const auto& file : files) {
    int number = 0;
    for (const auto& line : documents::lines(project / file)) {
      ++number;
      if (breaks(file, line))
        found.push_back(file.string() + ":" + std::to_string(number) + " " + line);
    }
  }
  return found;
}

TEST(Layout, top_level_stays_small) {
  const Names expected{
      "CMakeLists.txt", "CMakePresets.json", "LICENSE", "README.md", "bench", "ipc",
      "pools",          "results",           "tests"};
  Names found;
  for (const auto& path : sources()) {
    const std::string first = path.begin()->string();
    if (!first.starts_with('.')) found.insert(first);
  }
  EXPECT_EQ(found, expected);
}

TEST(Layout, each_room_explains_itself) {
  for (const char* room : {"ipc", "pools", "bench", "tests", "results"}) {
    EXPECT_TRUE(fs::exists(project / room / "README.md")) << room;
  }
}

TEST(Layout, arrows_between_rooms_point_one_way) {
  const std::map<std::string, Names> forbidden{{"ipc", {"pools", "bench", "results", "tests"}},
                                               {"pools", {"bench", "results", "tests"}},
                                               {"bench", {"results", "tests"}},
                                               {"results", {"ipc", "pools", "bench", "tests"}}};
  EXPECT_THAT(lines_where(sources(),
                          [&](const fs::path& file, const std::string& line) {
                            const auto rooms = forbidden.find(file.begin()->string());
                            return rooms != forbidden.end() &&
                                   std::ranges::any_of(rooms->second, [&](const std::string& room) {
                                     return line.starts_with("#include \"" + room + "/");
                                   });
                          }),
              IsEmpty());
}

// The headers of a folder, by name.
Names files_of(const std::string& folder) {
  Names files;
  for (const auto& entry : fs::directory_iterator(project / folder)) {
    files.insert(entry.path().stem().string());
  }
  return files;
}

// What a registry includes of its folder, which has its name.
Names included_by_registry_of(const std::string& folder) {
  Names included;
  const std::string include = "#include \"" + folder + "/";
  for (const auto& line : documents::lines(project / (folder + ".hpp"))) {
    if (line.starts_with(include))
      included.insert(fs::path(line.substr(include.size())).stem().string());
  }
  return included;
}

TEST(Registry, has_every_file_of_its_folder) {
  for (const std::string folder : {"ipc/channels", "ipc/locks", "ipc/notifiers", "ipc/waits"}) {
    EXPECT_EQ(included_by_registry_of(folder), files_of(folder)) << folder;
  }
}

TEST(Registry, lists_every_channel) {
  // spsc_ring<spin> and spsc_ring<futex> are both of spsc_ring.hpp.
  Names listed;
  std::vector<std::string> names;
  ipc::AllChannels::for_each([&]<class C>() {
    names.emplace_back(C::name);
    listed.insert(names.back().substr(0, names.back().find('<')));
  });
  EXPECT_EQ(listed, files_of("ipc/channels"));
  EXPECT_THAT(Names(names.begin(), names.end()), SizeIs(names.size())) << "a name is taken twice";
}

TEST(Registry, is_the_only_one_to_name_a_channels_file) {
  EXPECT_THAT(lines_where(sources(),
                          [](const fs::path& file, const std::string& line) {
                            // Tests and examples use one channel, as any program does.
                            return file != "ipc/channels.hpp" && *file.begin() != "tests" &&
                                   file.parent_path().filename() != "examples" &&
                                   line.starts_with("#include \"ipc/channels/");
                          }),
              IsEmpty());
}

TEST(Text, headers_are_included_once) {
  for (const auto& file : sources_ending_in(".hpp")) {
    EXPECT_THAT(documents::lines(project / file), Contains("#pragma once")) << file;
  }
}

TEST(Text, files_are_short) {
  for (const auto& file : sources()) {
    if (file.extension() == ".json") continue;                     // data
    if (file.parent_path() == "tests/golden/published") continue;  // written from data
    EXPECT_LE(documents::lines(project / file).size(), 450U) << file;
  }
}

TEST(Text, has_no_tabs_and_no_blanks_at_the_end_of_a_line) {
  EXPECT_THAT(lines_where(sources(),
                          [](const fs::path&, const std::string& line) {
                            return line.find('\t') != line.npos || line.ends_with(' ');
                          }),
              IsEmpty());
}

TEST(Text, postpones_nothing) {
  // Spelled in halves, or this file would break the habit.
  const std::vector<std::string> words{std::string("TO") + "DO", std::string("FIX") + "ME"};
  EXPECT_THAT(lines_where(sources(),
                          [&](const fs::path&, const std::string& line) {
                            return std::ranges::any_of(words, [&](const std::string& word) {
                              return line.find(word) != line.npos;
                            });
                          }),
              IsEmpty());
}

TEST(Markdown, has_one_title) {
  for (const auto& file : sources_ending_in(".md")) {
    EXPECT_EQ(std::ranges::count_if(documents::prose(project / file),
                                    [](const std::string& line) { return line.starts_with("# "); }),
              1)
        << file;
  }
}

TEST(Markdown, links_lead_somewhere) {
  for (const auto& file : sources_ending_in(".md")) {
    for (const auto& target : documents::links(project / file)) {
      if (target.starts_with("http") || target.starts_with('#')) continue;
      const auto hash = std::min(target.find('#'), target.size());
      const auto path = (project / file).parent_path() / target.substr(0, hash);
      EXPECT_TRUE(fs::exists(path)) << file << " links to " << target;
      if (hash == target.size() || !fs::exists(path)) continue;
      EXPECT_THAT(documents::lines(path),
                  Contains(HasSubstr("<a id=\"" + target.substr(hash + 1) + "\">")))
          << file << " links to " << target;
    }
  }
}

}  // namespace
