(1..4).each { |at| Article.create!(title: "Article #{at}", text: "Text of #{at}.") }
